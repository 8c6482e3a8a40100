# What OpenWrt's build does with the Makefile, for try.sh: it evaluates a package's fields after its own defaults, wants some of them, runs the
# steps of the build one after the other, and installs each package into a folder of its own, here $(DESTDIR) for all. Fields come into
# $(DESTDIR)/lib/packages/NAME, what sysupgrade keeps into $(DESTDIR)/lib/upgrade/keep.d/NAME.
#
# A variable that was given to the first make is in the environment of this one, and nowhere else.
override MAKEFLAGS=

define Package/Default
  SECTION:=
  CATEGORY:=
  TITLE:=
  DEPENDS:=
  USERID:=
endef

define BuildPackage
$(eval $(Package/Default))
$(eval $(Package/$(1)))
$(foreach field,SECTION CATEGORY TITLE PKG_VERSION PKG_RELEASE,$(if $(strip $($(field))),,$(error $(1) has no $(field))))
.PHONY: compile-$(1) install-$(1)
compile-$(1):
	$(Build/Prepare)
	$(Build/Configure)
	$(Build/Compile)
install-$(1): compile-$(1)
	$(call Package/$(1)/install,$(DESTDIR))
	mkdir -p $(DESTDIR)/lib/packages $(DESTDIR)/lib/upgrade/keep.d
	printf 'depends %s\nuser %s\n' "$(DEPENDS)" "$(USERID)" >$(DESTDIR)/lib/packages/$(1)
	for file in $(strip $(Package/$(1)/conffiles)); do echo "$$$$file"; done >$(DESTDIR)/lib/upgrade/keep.d/$(1)
all: install-$(1)
endef
