"""What Streamlit is started with; apart from `dashboards/pages`, which Streamlit would else take for its own."""

from dashboards.app import main

if __name__ == "__main__":
    main()
