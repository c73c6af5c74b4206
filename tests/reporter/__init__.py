"""What a comparison is told as: figures, page, words, Markdown, terminal."""
