# What of OpenWrt's build the Makefile needs, for try.sh: its install steps, into $(DESTDIR), and nothing else.
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_CONF:=install -m0600

all:
