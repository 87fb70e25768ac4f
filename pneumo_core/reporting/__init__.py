"""From records to documents that people take away: comparison, study, model card, checklist."""
