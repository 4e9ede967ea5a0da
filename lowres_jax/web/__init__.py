"""The page in the browser, and the same as an API."""
