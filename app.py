"""The server, and the page frame: page config, navigation, sidebar, run. `streamlit run app.py` starts here."""

import streamlit as st

if __name__ == "__main__":  # Streamlit runs this file as a script for each visitor,
    from pages.ui.components import shown_errors
    from pages.ui.memory import steady_memory
    from pages.ui.sidebar import show_sidebar
    from pages.ui.state import mark_frame
    from pneumo_core.settings import settings

    mark_frame()
    steady_memory()
    # Without icons: Streamlit makes a page's icon the tab's too, and has the browser fetch that from another host.
    page = st.navigation(
        {
            "": [st.Page("pages/overview.py", title="Overview", default=True)],
            "Explore": [
                st.Page("pages/dataset.py", title="Dataset", url_path="dataset"),
                st.Page("pages/augmentation.py", title="Augmentation", url_path="augmentation"),
            ],
            "Train": [
                st.Page("pages/train.py", title="Train", url_path="train"),
                st.Page("pages/gan.py", title="GAN lab", url_path="gan"),
            ],
            "Judge": [
                st.Page("pages/evaluate.py", title="Evaluate", url_path="evaluate"),
                st.Page("pages/compare.py", title="Compare", url_path="compare"),
                st.Page("pages/report.py", title="The report", url_path="report"),
            ],
            "Try": [st.Page("pages/predict.py", title="Predict", url_path="predict")],
        }
    )
    title = "Pneumo Study" if page.url_path == "" else f"{page.title} · Pneumo Study"
    st.set_page_config(page_title=title, page_icon="pages/ui/icon.svg", layout="wide")
    st.logo("pages/ui/logo.svg", icon_image="pages/ui/icon.svg", size="large", link=None)
    with shown_errors():
        settings()  # A setting that cannot be used is told once, here, whichever page was asked for.
        show_sidebar()
    page.run()
else:  # and imports it once, as the server starts.
    from pages.ui.loading import pages_loaded

    app = st.App(__file__, lifespan=pages_loaded)
