"""The crisis protocol: which steps a reply takes, its texts, and the node that says them."""
