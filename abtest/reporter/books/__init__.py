"""How MLflow's books are told: a version's lineage in words, as a picture and as a page."""
