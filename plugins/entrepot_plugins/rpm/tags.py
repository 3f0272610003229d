"""Numbers of what a package file is made of (rpm-format: ``rpmtag.h`` and ``rpmtypes.h`` of rpm)."""

from __future__ import annotations

from enum import IntEnum


class Type(IntEnum):
    """What kind of values an entry of a header has."""

    CHAR = 1
    INT8 = 2
    INT16 = 3
    INT32 = 4
    INT64 = 5
    STRING = 6
    BIN = 7
    STRING_ARRAY = 8
    I18NSTRING = 9


class SigTag(IntEnum):
    """Entries of the signature header."""

    REGION = 62
    DSA = 267
    """Of the header: DSA, and every later algorithm that is not RSA."""
    RSA = 268
    """Of the header."""
    SHA1 = 269
    LONGSIZE = 270
    LONGARCHIVESIZE = 271
    SHA256 = 273
    FILESIGNATURES = 274
    FILESIGNATURELENGTH = 275
    VERITYSIGNATURES = 276
    VERITYSIGNATUREALGO = 277
    OPENPGP = 278
    """Of the header: any number of them, each in base64."""
    SHA3_256 = 279
    RESERVED = 999
    SIZE = 1000
    PGP = 1002
    """Of header and payload: RSA."""
    MD5 = 1004
    GPG = 1005
    """Of header and payload: whatever is not RSA."""
    PGP5 = 1006
    PAYLOADSIZE = 1007
    RESERVEDSPACE = 1008


class Tag(IntEnum):
    """Entries of the header."""

    REGION = 63
    I18NTABLE = 100
    NAME = 1000
    VERSION = 1001
    RELEASE = 1002
    EPOCH = 1003
    SUMMARY = 1004
    DESCRIPTION = 1005
    BUILDTIME = 1006
    BUILDHOST = 1007
    SIZE = 1009
    VENDOR = 1011
    LICENSE = 1014
    PACKAGER = 1015
    GROUP = 1016
    URL = 1020
    OS = 1021
    ARCH = 1022
    PREIN = 1023
    POSTIN = 1024
    PREUN = 1025
    POSTUN = 1026
    OLDFILENAMES = 1027
    FILESIZES = 1028
    FILEMODES = 1030
    FILERDEVS = 1033
    FILEMTIMES = 1034
    FILEDIGESTS = 1035
    FILELINKTOS = 1036
    FILEFLAGS = 1037
    FILEUSERNAME = 1039
    FILEGROUPNAME = 1040
    SOURCERPM = 1044
    FILEVERIFYFLAGS = 1045
    ARCHIVESIZE = 1046
    PROVIDENAME = 1047
    REQUIREFLAGS = 1048
    REQUIRENAME = 1049
    REQUIREVERSION = 1050
    NOSOURCE = 1051
    NOPATCH = 1052
    CONFLICTFLAGS = 1053
    CONFLICTNAME = 1054
    CONFLICTVERSION = 1055
    RPMVERSION = 1064
    CHANGELOGTIME = 1080
    CHANGELOGNAME = 1081
    CHANGELOGTEXT = 1082
    PREINPROG = 1085
    POSTINPROG = 1086
    PREUNPROG = 1087
    POSTUNPROG = 1088
    OBSOLETENAME = 1090
    FILEDEVICES = 1095
    FILEINODES = 1096
    FILELANGS = 1097
    SOURCEPACKAGE = 1106
    PROVIDEFLAGS = 1112
    PROVIDEVERSION = 1113
    OBSOLETEFLAGS = 1114
    OBSOLETEVERSION = 1115
    DIRINDEXES = 1116
    BASENAMES = 1117
    DIRNAMES = 1118
    PAYLOADFORMAT = 1124
    PAYLOADCOMPRESSOR = 1125
    PAYLOADFLAGS = 1126
    LONGFILESIZES = 5008
    LONGSIZE = 5009
    FILEDIGESTALGO = 5011
    RECOMMENDNAME = 5046
    RECOMMENDVERSION = 5047
    RECOMMENDFLAGS = 5048
    SUGGESTNAME = 5049
    SUGGESTVERSION = 5050
    SUGGESTFLAGS = 5051
    SUPPLEMENTNAME = 5052
    SUPPLEMENTVERSION = 5053
    SUPPLEMENTFLAGS = 5054
    ENHANCENAME = 5055
    ENHANCEVERSION = 5056
    ENHANCEFLAGS = 5057
    PAYLOADDIGEST = 5092
    PAYLOADDIGESTALGO = 5093
    MODULARITYLABEL = 5096
    RPMFORMAT = 5114
    PAYLOADSHA512 = 5121
    PAYLOADSHA3_256 = 5123


HASHES = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224", 12: "sha3_256", 14: "sha3_512"}
"""Hash algorithms of OpenPGP (RFC 9580, 9.5), which rpm counts by, under their names in hashlib."""
