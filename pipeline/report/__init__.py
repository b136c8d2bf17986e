"""The reviewer's material: figures, the drift report and the promotion card."""
