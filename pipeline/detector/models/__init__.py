"""The model families, a file each; `pipeline.detector.models.families` lists them."""
