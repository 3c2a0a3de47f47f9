"""ev_platform: an open EV fleet data platform, from raw vehicle messages to battery health."""
