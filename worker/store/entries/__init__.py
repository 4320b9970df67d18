"""The life of an entry, in order: buffered, judged page by page, held, decided, corrected."""
