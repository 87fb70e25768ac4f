"""Parts of The report page."""
