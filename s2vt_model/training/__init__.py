"""Learning an S2VT from captioned corpora: recipe -> sources -> run folder -> checkpoint."""
