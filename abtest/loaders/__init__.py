"""References and files in; a champion, a challenger and labelled batches out."""
