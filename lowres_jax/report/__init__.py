"""Output for people: the page of a comparison, the sheet and the words of a search, the gallery of detectors."""
