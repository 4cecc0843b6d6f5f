# The API without sockets; included by CMakeLists.txt.
homeport_test(api_test
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/api_fixture.cpp
    ${CMAKE_CURRENT_LIST_DIR}/handlers_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/openapi_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/parts_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/restore_api_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/self_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/snapshots_api_test.cpp
  USES homeport_service driver_registry
  LABELS unit)
