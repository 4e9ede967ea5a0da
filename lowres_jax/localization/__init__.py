"""Find a face and align it: Haar, MTCNN, the five-point template."""
