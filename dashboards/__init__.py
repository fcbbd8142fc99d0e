"""The dashboard: a Streamlit app over run directories, for people who look rather than read."""
