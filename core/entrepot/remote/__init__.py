"""A workspace on a storage: generations of its databases and small files, changed by compare-and-swap.

``layout`` says what is where, ``chunks`` moves databases, ``generations`` reads and makes generations, ``copies`` keeps
them on this machine between commands, and ``session`` is what one command does with all of these.
"""
