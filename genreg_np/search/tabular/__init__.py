"""What is searched for in tables: pipelines of scikit-learn, and networks of this project beside them."""
