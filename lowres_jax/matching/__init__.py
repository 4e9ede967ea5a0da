"""Who is it? A gallery of known people, the search in it, and thresholds that were measured."""
