"""Publishing: a version becomes a tree of files, and the tree is put in place."""
