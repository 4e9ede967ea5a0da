"""Face to template: networks whose unit vectors are compared by cosine."""
