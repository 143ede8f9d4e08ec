"""A catalogue of the world's cities, cached by Tiercel. Start it with `python -m examples.fastapi`."""
