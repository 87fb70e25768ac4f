"""The server, and the page frame: page config, navigation, sidebar, run. `streamlit run app.py` starts here."""

import streamlit as st

PAGES = {
    "": [("overview", "Overview", "home")],
    "Explore": [("dataset", "Dataset", "photo_library"), ("augmentation", "Augmentation", "tune")],
    "Train": [("train", "Train", "model_training"), ("gan", "GAN lab", "blur_on")],
    "Judge": [
        ("evaluate", "Evaluate", "analytics"),
        ("compare", "Compare", "compare_arrows"),
        ("report", "The report", "description"),
    ],
    "Try": [("predict", "Predict", "radiology")],
}
"""The menu: file, title and icon of each page, by group. The first page is the one that opens."""

if __name__ == "__main__":  # Streamlit runs this file as a script for each visitor,
    from pages.ui.address import not_there, unknown_page
    from pages.ui.components import shown_errors
    from pages.ui.memory import steady_memory
    from pages.ui.sidebar import show_sidebar
    from pages.ui.state import forget_uploads, mark_frame
    from pneumo_core.settings import settings

    mark_frame()
    steady_memory()
    # The tab's icon is set before the menu: the browser would ask another host for the page's.
    st.set_page_config(page_icon="pages/ui/icon.svg", layout="wide")
    page = st.navigation(
        {
            group: [st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:") for name, title, icon in rows]
            for group, rows in PAGES.items()
        }
    )
    forget_uploads(page)
    st.set_page_config(page_title="Pneumo Study" if page.url_path == "" else f"{page.title} · Pneumo Study")
    st.logo("pages/ui/logo.svg", icon_image="pages/ui/icon.svg", size="large", link=None)
    if unknown := unknown_page(page):
        where = "The pages are in the menu; this is the Overview."
        not_there("page", unknown, where, button="Go on with the Overview", names=())
    with shown_errors():
        settings()  # A setting that cannot be used is told once, here, whichever page was asked for.
        show_sidebar()
    page.run()
else:  # and imports it once, as the server starts.
    from pages.ui.loading import pages_loaded

    app = st.App(__file__, lifespan=pages_loaded)
