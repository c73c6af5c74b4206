"""What training is told as: figures, page, words, Markdown, terminal."""
