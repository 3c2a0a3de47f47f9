"""What Streamlit runs: the list of pages, in the order in which people need them.

Belongs here: titles, icons and addresses of pages. Not here: what is on them.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ev_platform.dashboard import (
    alarms,
    atlas,
    charging_grid,
    data_health,
    fleet,
    live_grid,
    market,
    vehicle,
)

ICON = Path(__file__).with_name("icon.svg")
"""A file of ours: Streamlit would fetch a named icon from elsewhere."""

PAGES = {
    "Fleet": [
        st.Page(fleet.page, title="Fleet", icon=":material/directions_car:", url_path="fleet", default=True),
        st.Page(vehicle.page, title="Vehicle", icon=":material/battery_charging_full:", url_path="vehicle"),
        st.Page(alarms.page, title="Telematics alarms", icon=":material/notifications:", url_path="alarms"),
    ],
    "Energy": [
        st.Page(charging_grid.page, title="Charging & grid", icon=":material/ev_station:", url_path="charging"),
        st.Page(live_grid.page, title="Live grid", icon=":material/bolt:", url_path="grid"),
        st.Page(atlas.page, title="Energy atlas", icon=":material/map:", url_path="atlas"),
    ],
    "Market": [st.Page(market.page, title="Market value", icon=":material/sell:", url_path="market")],
    "Operations": [st.Page(data_health.page, title="Data health", icon=":material/monitor_heart:", url_path="health")],
}

if __name__ == "__main__":
    st.set_page_config(page_title="ev_platform", page_icon=str(ICON), layout="wide")
    st.navigation(PAGES).run()
