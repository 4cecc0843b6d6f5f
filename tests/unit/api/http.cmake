# The socket side of the service; included by CMakeLists.txt.
homeport_test(http_test
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/loopback.cpp
    ${CMAKE_CURRENT_LIST_DIR}/problem_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/router_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/server_async_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/server_test.cpp
    ${CMAKE_CURRENT_LIST_DIR}/server_tls_test.cpp
  USES homeport_http OpenSSL::SSL
  LABELS unit)
