"""SIP REGISTER with digest authentication, shared by all providers whose devices register."""
