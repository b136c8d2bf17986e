"""The model families, a file each; `pipeline.detector.families` lists them."""
