"""The part of the lab that lives in name spaces: hosts, servers, directors, scenarios."""
