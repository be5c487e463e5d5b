"""Where sessions and claims live. One seam, one file or package for each store.

Belongs here: the seam (`seam`), the in-memory reference (`memory`), the file store (`file`), the engines.
Does not belong here: policy. Who is next, when to yield and what a 409 means is `decide`'s.
"""
