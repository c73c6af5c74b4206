"""``abtest serve``: requests answered, judged while they flow, and written down."""
