"""The commands of a device, and how any command of serbench prints and ends."""
