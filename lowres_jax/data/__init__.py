"""Pictures, data sets, records and input pipelines; knows no stage."""
