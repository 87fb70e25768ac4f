"""Documents from runs' records: comparison, study, model card and checklist."""
