"""The login in front of MLflow, in the process of its web server: every request is checked.

Programs send a token or user and password with each request, browsers a signed cookie that they
get on the login page. MLflow's own login hashes a password for each request, in half a second.
"""
