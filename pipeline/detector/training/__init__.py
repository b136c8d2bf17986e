"""From the train block to a network: windows, losses, the fit, the exported graph."""
