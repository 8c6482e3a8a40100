# What of OpenWrt's build the Makefile needs, for try.sh; package.mk has the rest.
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_CONF:=install -m0600
INSTALL_DATA:=install -m0644
TARGET_CC:=cc

all:
