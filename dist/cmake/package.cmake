# cpack -G DEB. The programs know their own place, so packages are made of a build that was
# configured with -DCMAKE_INSTALL_PREFIX=/usr.
set(CPACK_PACKAGE_NAME tenken)
set(CPACK_PACKAGE_VENDOR "tenken developers")
set(CPACK_PACKAGE_CONTACT "tenken developers <maintainers@tenken.dev>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL agent collector)
set(CPACK_GENERATOR DEB)

set(scripts ${CMAKE_CURRENT_SOURCE_DIR}/debian)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_AGENT_PACKAGE_NAME tenken)
set(CPACK_COMPONENT_AGENT_DESCRIPTION "host security posture agent
Inspects this host every day, decides clause by clause whether it keeps the
security controls that its operator has promised to a Japanese authority, says
why and how to mend it, and signs what it saw.
.
The daily inspection begins once /etc/tenken/site.yaml is written (tenken init
proposes one). Sending evidence is off until it is turned on.")
set(CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS "adduser, tzdata")
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_AGENT_PACKAGE_SUGGESTS "tenken-collector, cron-daemon, bash-completion")
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
    ${scripts}/tenken/conffiles ${scripts}/tenken/postinst ${scripts}/tenken/prerm ${scripts}/tenken/postrm)

# The collector redoes verdicts with the rules, which lie in the agent's package.
set(CPACK_DEBIAN_COLLECTOR_PACKAGE_NAME tenken-collector)
set(CPACK_COMPONENT_COLLECTOR_DESCRIPTION "collector of tenken's signed inspections
Takes the evidence of inspected hosts over HTTPS or from files, verifies and
keeps it, redoes every verdict from the recorded facts, and makes the annex of
the monthly report.")
set(CPACK_DEBIAN_COLLECTOR_PACKAGE_DEPENDS
    "adduser, tenken (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_COLLECTOR_PACKAGE_CONTROL_EXTRA
    ${scripts}/tenken-collector/postinst ${scripts}/tenken-collector/postrm)

include(CPack)
