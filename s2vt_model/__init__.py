"""S2VT (Venugopalan et al., ICCV 2015): a video in, a sentence out, and nothing hidden between."""
