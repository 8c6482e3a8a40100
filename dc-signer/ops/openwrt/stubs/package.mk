# The rest of it; rules.mk says for what.
define BuildPackage
install-$(1):
$(call Package/$(1)/install,$(DESTDIR))
all: install-$(1)
endef
