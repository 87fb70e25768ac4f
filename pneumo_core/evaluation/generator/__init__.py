"""How good and how original generated images are."""
