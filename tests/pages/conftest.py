"""Pages keep what they read; each test starts without."""

import pytest
import streamlit as st


@pytest.fixture(autouse=True)
def empty_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()
