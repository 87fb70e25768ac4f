"""From logits to numbers: metrics, their patient-clustered intervals, and the one report every page reads."""
