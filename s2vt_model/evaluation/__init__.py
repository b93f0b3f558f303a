"""How good the sentences are: the COCO caption metrics, and simple rivals on the same features."""
