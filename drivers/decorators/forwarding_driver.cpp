#include "drivers/decorators/forwarding_driver.h"

namespace homeport::drivers {

std::string_view driver_method_name(DriverMethod method) {
  switch (method) {
    case DriverMethod::probe: return "probe";
    case DriverMethod::pools: return "pools";
    case DriverMethod::scan: return "scan";
    case DriverMethod::find: return "find";
    case DriverMethod::create: return "create";
    case DriverMethod::update: return "update";
    case DriverMethod::set_access: return "set_access";
    case DriverMethod::mount_source: return "mount_source";
    case DriverMethod::retire: return "retire";
    case DriverMethod::undelete: return "undelete";
    case DriverMethod::purge: return "purge";
  }
  return "unknown";
}

bool is_changing(DriverMethod method) {
  switch (method) {
    case DriverMethod::create:
    case DriverMethod::update:
    case DriverMethod::set_access:
    case DriverMethod::retire:
    case DriverMethod::undelete:
    case DriverMethod::purge: return true;
    case DriverMethod::probe:
    case DriverMethod::pools:
    case DriverMethod::scan:
    case DriverMethod::find:
    case DriverMethod::mount_source: return false;
  }
  return false;
}

}  // namespace homeport::drivers
