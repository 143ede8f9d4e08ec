"""Runnable examples. Start the FastAPI application with `python -m examples.fastapi`."""
