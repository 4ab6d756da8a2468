"""The record for the eye: frames, figures and pictures. Loads pandas and plotly, so it is imported only when asked for."""
