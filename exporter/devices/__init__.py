"""Where files run that are not for this computer: ARM in a container (emulated or not), a phone behind adb."""
